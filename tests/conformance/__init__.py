"""What the WOPI reference demands, row by row, for each kind of editor and each back end."""
