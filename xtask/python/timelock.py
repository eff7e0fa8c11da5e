"""Timelocked messages between Bittensor's library and ours: `python timelock.py PATH_OF_EXAMPLE_TIMELOCK`.

Needs `pip install bittensor==11.3.0`; build the example with `cargo build --release -p weighhouse-chain --example
timelock`. Each side opens what the other sealed to drand's round 1000, whose signature is public. One line per check.
"""

import os
import subprocess
import sys

import bittensor_core

ROUND = 1_000
SIGNATURE = "b44679b9a59af2ec876b1a6b1ad52ea9b1615fc3982b19576350f93447cb1125e342b73a8dd2bacbe47e4b6b63ed5e39"
SIZES = [0, 1, 15, 16, 17, 55, 1_069, 4_000]


def compact(number):
    """SCALE's compact form of a length below 2^30."""
    if number < 1 << 6:
        return bytes([number << 2])
    if number < 1 << 14:
        return (number << 2 | 1).to_bytes(2, "little")
    return (number << 2 | 2).to_bytes(4, "little")


def wrapped(ciphertext):
    # Bittensor's library takes a commit in SCALE: the ciphertext behind its length, then the round.
    return compact(len(ciphertext)) + ciphertext + ROUND.to_bytes(8, "little")


def unwrapped(message):
    head = {0: 1, 1: 2, 2: 4}[message[0] & 3]
    return message[head:-8]


def ours(binary, verb, argument, lines):
    given = "\n".join(line.hex() for line in lines) + "\n"
    done = subprocess.run([binary, verb, str(argument)], input=given, capture_output=True, text=True, timeout=60)
    if done.returncode != 0:
        raise RuntimeError(done.stderr)
    return [bytes.fromhex(line) for line in done.stdout.split("\n")[: len(lines)]]


def main(binary):
    messages = [os.urandom(size) for size in SIZES]
    theirs = [unwrapped(bytes(bittensor_core.encrypt_at_round(message, ROUND)[0])) for message in messages]
    checks = {
        "ours-opens-theirs": lambda: ours(binary, "open", SIGNATURE, theirs),
        "theirs-opens-ours": lambda: [
            bytes(bittensor_core.decrypt_with_signature(wrapped(sealed), SIGNATURE))
            for sealed in ours(binary, "seal", ROUND, messages)
        ],
    }
    failed = 0
    for name, check in checks.items():
        try:
            opened = check()
            assert opened == messages, "another message came out"
            print("ok", name)
        except Exception as error:
            failed += 1
            print("FAIL", name, str(error).replace("\n", " "))
    return failed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
