"""Run the command line with ``python -m videottt``."""

from videottt.cli import main

if __name__ == "__main__":
    main()
