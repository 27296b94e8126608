"""`python -m knuckle` is the command `knuckle`."""

from knuckle.cli import main

main()
