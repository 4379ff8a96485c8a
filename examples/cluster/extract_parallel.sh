#!/bin/sh
# Extract features in N processes with GNU parallel: extract_parallel.sh 4 videos/ features/
set -eu
export OMP_NUM_THREADS="$(($(nproc) / $1))" OMP_WAIT_POLICY=PASSIVE
seq "$1" | parallel -j "$1" --halt never vadpipe extract "$2" -o "$3" --shard "{}/$1" --progress plain
