# network = ["http://127.0.0.1:{echo}"]
# about = "What a cloud tells its machine is not asked for, however its address is written."
# expect = "value:[]"
import urllib.request

reached = []
for host in (
    "169.254.169.254", "[::ffff:a9fe:a9fe]", "2852039166", "0251.0376.0251.0376", "0xa9fea9fe", "0xa9.0xfe.0xa9.0xfe",
    "169.254.43518", "[fd00:ec2::254]", "metadata.google.internal", "metadata.test", "169.254.169.254.", "[64:ff9b::a9fe:a9fe]",
    "169.254.170.2", "100.100.100.200", "\uff11\uff16\uff19.254.169.254", "169\u3002254\u3002169\u3002254",
):
    try:
        urllib.request.urlopen(f"http://{host}/latest/meta-data/", timeout=2)
        reached.append(host)
    except (OSError, ValueError):
        pass
reached
