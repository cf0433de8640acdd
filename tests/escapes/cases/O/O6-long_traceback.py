# about = "A traceback with a line of ten megabytes, or of a file that is not there, is told in short."
# expect = "error:ZeroDivisionError"
# host_mib = 100
source = "x = " + "1 + " * 10 + "'" + "y" * 10**6 + "' and 1 / 0"
exec(compile("1 / 0  # " + "z" * 10**7, "/etc/passwd", "exec"))
