import csv, io
from statistics import mean, stdev

source = "team,points\n" + "\n".join(f"{'red' if n % 3 else 'blue'},{n * 7 % 13}" for n in range(15))
groups = {}
for row in csv.DictReader(io.StringIO(source)):
    groups.setdefault(row["team"], []).append(int(row["points"]))
{team: (len(points), round(mean(points), 3), round(stdev(points), 6)) for team, points in sorted(groups.items())}
