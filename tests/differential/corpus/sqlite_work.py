import sqlite3
db = sqlite3.connect(":memory:")
db.executescript("create table p (id integer primary key, name text unique, age int); create index i on p (age);")
db.executemany("insert into p (name, age) values (?, ?)", [("ann", 30), ("bob", 25), ("cid", None)])
with db:
    db.execute("update p set age = age + 1 where age is not null")
try:
    db.execute("insert into p (name) values ('ann')")
except sqlite3.IntegrityError as error:
    print(type(error).__name__, error)
(db.execute("select name, age from p order by age desc nulls last").fetchall(), db.execute("select count(age), avg(age), group_concat(name) from p").fetchone())
