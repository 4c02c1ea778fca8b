"""What the tests of the command line share."""

import pytest

from backpass.cli import main


@pytest.fixture
def run(capfdbinary):
    """Run a command; return its exit status, stdout and stderr."""

    def command(*arguments):
        status = main([str(argument) for argument in arguments])
        out, err = capfdbinary.readouterr()
        return status, out.decode(), err.decode()

    return command
