"""A table of hands in TouchDesigner: the callbacks of an OSC In DAT that listens on a port, such as 9000.

Make a Table DAT named `hands` beside it, and start `knuckle stream 0 --osc 9000`. A row is a value: left/pinch, 0.93.
"""

PREFIX = "/knuckle/"


def onReceiveOSC(dat, rowIndex, message, byteData, timeStamp, address, args, peer):
    table = op("hands")  # noqa: F821 (TouchDesigner's)
    name = address.removeprefix(PREFIX)
    side = name.split("/")[0]
    if name == f"{side}/visible" and args[0] == 0:  # a lost hand leaves the table
        for row in [cell.val for cell in table.col(0) if cell.val.startswith(f"{side}/")]:
            table.deleteRow(row)
    elif table.row(name) is None:
        table.appendRow([name, *args])
    else:
        table.replaceRow(name, [name, *args])
