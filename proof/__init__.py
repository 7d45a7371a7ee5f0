"""The proof that Overbookr keeps its promises whatever breaks: load, faults, and checks that know how to fail.

    python -m proof --size small            everything, in minutes
    python -m proof --size full history     one part, at its full length

Each part is a room of its own with a module `prove`, which runs the part and says what it claims and whether that held.
"""
