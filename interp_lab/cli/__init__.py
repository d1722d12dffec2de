"""The command line: arguments in, text out; everything heavy is imported inside the commands."""
