"""Running commands in this process."""


def run_main(capture, main, *arguments):
    """Run a command; return the exit code, stdout, and the lines of stderr."""
    code = main([*map(str, arguments)])
    captured = capture.readouterr()
    return code, captured.out, captured.err.splitlines()


def run_lines(capture, main, *arguments):
    """Run a command; return the exit code, and the lines of stdout and stderr."""
    code, output, errors = run_main(capture, main, *arguments)
    return code, output.splitlines(), errors
