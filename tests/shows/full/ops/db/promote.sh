#!/bin/sh
echo "$0 $*" >&2
