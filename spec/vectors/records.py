"""Writes records.json: records made by another implementation (python
cryptography, that is OpenSSL), so that the Go code cannot vouch for itself.

    python3 records.py > records.json
"""
import hashlib
import json

from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

CIPHERS = {"AES-256-GCM": AESGCM, "ChaCha20-Poly1305": ChaCha20Poly1305}
PLAINS = [b"", b"\x01heartbee", bytes(range(256)) * 5 + bytes(140), b"E" + bytes(19)]
COUNTERS = [0, 1, 8191, 2**32, 2**56 - 1]


def derive(label, size):
    return hashlib.shake_256(b"l2tun record vector " + label.encode()).digest(size)


def record(aead, rid, space, counter, plain):
    header = b"\x40" + rid + counter.to_bytes(7, "little") + bytes([space])
    nonce = bytes(4) + header[8:16]
    return header + aead.encrypt(nonce, plain, header)


vectors = []
for name, cipher in CIPHERS.items():
    key = derive(name + " key", 32)
    raw = derive(name + " id", 7)
    rid = bytes([raw[0] | 0x80]) + raw[1:]
    for space in range(5):
        for i, counter in enumerate(COUNTERS):
            plain = PLAINS[(space + i) % len(PLAINS)]
            vectors.append({
                "name": f"{name} space {space} counter {counter}",
                "cipher": name, "key": key.hex(), "id": rid.hex(),
                "space": space, "counter": counter, "plain": plain.hex(),
                "record": record(cipher(key), rid, space, counter, plain).hex(),
            })
print(json.dumps(vectors, indent=1))
