"""What tests of commands stand on."""

import pytest
from tests.unit.kubectl.recording_server import RecordingServer


@pytest.fixture
def server():
    with RecordingServer() as recording:
        yield recording
