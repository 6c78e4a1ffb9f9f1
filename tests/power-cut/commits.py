"""Commits rows to SQLite one by one, and says of each how long the recorder's log was when it was committed.

    commits.py DATABASE SYNCHRONOUS ROWS

What the test of the power-cut simulator runs: with `synchronous=NORMAL` SQLite does not promise that a committed row
outlives a power cut, so the simulator must lose some. The checkpoints are frequent, so that cuts fall into them, too.
"""

import os
import sqlite3
import sys

database, synchronous, rows = sys.argv[1:]
connection = sqlite3.connect(database, isolation_level=None)
for statement in [
    "pragma journal_mode = wal",
    f"pragma synchronous = {synchronous}",
    "pragma wal_autocheckpoint = 40",
    "create table rows (id integer primary key, filling blob not null)",
]:
    connection.execute(statement)
for row in range(int(rows)):
    connection.execute("insert into rows values (?, randomblob(1000))", [row])
    print(os.stat(os.environ["POWER_CUT_LOG"]).st_size)
