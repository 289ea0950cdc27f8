"""`gendsl recheck DIR`: judge certificates with the stand-alone checker."""
