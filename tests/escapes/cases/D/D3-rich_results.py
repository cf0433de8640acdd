# host = "workshop"
# about = "Pictures, pages and drawings are bytes with a bound, and nobody looks into them."
# expect = "any"
# host_mib = 128
import struct
import zlib


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


class Bomb:
    def _repr_png_(self):
        head = struct.pack(">IIBBBBB", 30000, 30000, 8, 6, 0, 0, 0)
        return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(10**7), 9)) + chunk(b"IEND", b"")

    def _repr_html_(self):
        return "<script>fetch('http://127.0.0.1')</script>" * 1000

    def _repr_svg_(self):
        return "<?xml version='1.0'?><!DOCTYPE x [<!ENTITY a 'aaaaaaaaaa'><!ENTITY b '&a;&a;&a;&a;&a;'>]><svg>&b;</svg>"


Bomb()
