#!/bin/sh
# A function of the stack under test: the test binary itself, in a role.
FIXTURE_ROLE=function exec "$FIXTURE_PROGRAM" --exact function::role --nocapture -q
