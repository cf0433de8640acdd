# about = "Local sockets of the system, that of an engine of containers among them, are not connected to."
# also = ["container"]
# expect = "value:[]"
import socket

made = []
for path in ("/var/run/docker.sock", "/run/docker.sock", "/run/containerd/containerd.sock", "/run/systemd/private", "/run/dbus/system_bus_socket", "/var/run/nscd/socket", "/tmp/.X11-unix/X0", "\0/tmp/.X11-unix/X0"):
    for kind in ("SOCK_STREAM", "SOCK_DGRAM", "SOCK_SEQPACKET"):
        try:
            connection = socket.socket(socket.AF_UNIX, getattr(socket, kind))
            connection.settimeout(2)
            connection.connect(path)
            made.append(path)
        except (OSError, AttributeError):
            pass
made
