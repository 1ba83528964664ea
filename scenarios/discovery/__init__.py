"""Which entries of a base path are versions, and when the server looks."""
