import calendar, time
[time.gmtime(1e9)[:6], time.strftime("%d %b %Y", time.gmtime(0)), calendar.timegm((2001, 9, 9, 1, 46, 40)), calendar.month(2024, 2).count("29"), time.strptime("2024-05-06", "%Y-%m-%d").tm_yday]
