"""The files of a request: forms, zips and bare bodies, with their names."""
