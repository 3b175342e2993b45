"""``python -m borderline``: the same as ``kedro run``, with the same options."""

from pathlib import Path

from kedro.framework.startup import bootstrap_project


def main() -> None:
    """Run the project in the current folder."""
    bootstrap_project(Path.cwd())
    from borderline.commands.run import run

    run()


if __name__ == "__main__":
    main()
