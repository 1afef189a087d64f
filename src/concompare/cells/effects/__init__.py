"""Effects: for each part of a loop's body what it reads, changes and needs in order."""
