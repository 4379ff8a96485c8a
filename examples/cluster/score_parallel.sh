#!/bin/sh
# Score in N processes with GNU parallel: score_parallel.sh 4 videos/ scores/ scored-features/
set -eu
export OMP_NUM_THREADS="$(($(nproc) / $1))" OMP_WAIT_POLICY=PASSIVE
seq "$1" | parallel -j "$1" --halt never vadpipe score "$2" -o "$3" --features "$4" --shard "{}/$1" --progress plain
