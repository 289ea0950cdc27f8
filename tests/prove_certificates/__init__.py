"""Tests of certificates, the stand-alone checker and the export to Coq."""
