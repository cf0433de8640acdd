import base64, binascii, struct, zlib
packed = struct.pack(">HbI4s", 513, -1, 99, b"abc")
[packed, struct.unpack(">HbI4s", packed), binascii.hexlify(packed), base64.b85encode(b"hello world"), zlib.crc32(b"abc"), zlib.decompress(zlib.compress(b"z" * 500, 9))[:3], bytes.fromhex("deadbeef"), b"a,b".split(b","), bytearray(b"x") * 3, b"%d %s" % (5, b"q"), b"\x80abc".decode("latin-1")]
