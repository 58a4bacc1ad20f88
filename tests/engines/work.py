"""What the engines' programs ask of workers: text, as a cluster sends functions of the main program alone."""

from __future__ import annotations

WORK = """
import os, time
from projhead.errors import UserError

def square(number):
    time.sleep(0.05)
    return number * number, os.getpid()

def refuse(number):
    raise UserError("that is no number")

def die(number):
    os._exit(1)
"""
