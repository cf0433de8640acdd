"""Tests of the evaluator against a fake port. They need nothing but the standard library."""
