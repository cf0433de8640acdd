from datetime import date, datetime, timedelta, timezone

start = date(2024, 1, 31)
months = []
for n in range(14):
    year, month = divmod(start.month - 1 + n, 12)
    last = (date(start.year + year + (month == 11), (month + 1) % 12 + 1, 1) - timedelta(days=1)).day
    months.append(date(start.year + year, month + 1, min(start.day, last)).isoformat())
print(months)
(datetime(2024, 3, 10, 2, 30, tzinfo=timezone(timedelta(hours=-8))).astimezone(timezone.utc), date(2023, 12, 31).isocalendar())
