"""The service and the command line: the only folder that sees every other one."""
