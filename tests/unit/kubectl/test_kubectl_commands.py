"""Every command that the table names is there, takes its flags, and no module of commands is left out."""

import importlib
import pkgutil

import pytest

from mamekube.kubectl import commands, main
from mamekube.kubectl.session import GLOBAL_FLAGS

SHARED = {"writing"}
"""Modules of the folder that hold what several commands have in common."""


@pytest.mark.parametrize("name", sorted(main.COMMANDS))
def test_a_command_is_where_the_table_says(name):
    command = main.COMMANDS[name]
    module = importlib.import_module(f"mamekube.kubectl.commands.{command.module}")
    assert callable(getattr(module, command.function))
    flags = [*getattr(module, command.flags), *GLOBAL_FLAGS]
    shorts = [flag.short for flag in {flag.name: flag for flag in flags}.values() if flag.short]
    assert len(shorts) == len(set(shorts)), "a letter stands for one flag"


def test_every_module_of_commands_is_in_the_table():
    modules = {module.name for module in pkgutil.iter_modules(commands.__path__)}
    assert modules - SHARED == {command.module for command in main.COMMANDS.values()}


def test_an_unknown_command_is_refused(capsys):
    assert main.main(["frobnicate"]) == 1
    assert capsys.readouterr().err == 'error: unknown command "frobnicate" for "kubectl"\n'


def test_an_unknown_flag_is_refused(capsys):
    assert main.main(["get", "pods", "--frob"]) == 1
    assert "error: unknown flag: --frob" in capsys.readouterr().err


def test_help_lists_every_command(capsys):
    assert main.main([]) == 0
    shown = capsys.readouterr().out
    assert all(name in shown for name in main.COMMANDS)
