"""The command line. `main` holds the commands; what a command needs is imported when it runs."""
