"""The commands of ``mteb-hybrid``, a module each: its options, and what it calls and prints."""
