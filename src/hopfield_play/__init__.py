"""The playground: one page on which a memory can be played with, and the cases that check it."""
