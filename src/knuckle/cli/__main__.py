"""`python -m knuckle.cli`."""

from knuckle.cli import main

main()
