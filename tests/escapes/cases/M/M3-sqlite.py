# about = "A database in memory that asks for a gigabyte."
# expect = ["error:MemoryError", "error:DataError", "error:OperationalError"]
import sqlite3

sqlite3.connect(":memory:").execute("select zeroblob(900000000)").fetchone()
