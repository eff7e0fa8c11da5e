#!/bin/sh
# Makes the wallets and the genesis file of a small network, once. Runs before every other service.
set -eu
cd /net
[ -e genesis.toml ] && exit 0
export WEIGHHOUSE_WALLETS=/net/wallets
for name in owner validator-1 validator-2 miner-1 miner-2 miner-3; do
    weighhouse wallet create --wallet "$name" --no-password > /dev/null
done
weighhouse init genesis --out genesis.new --owner-wallet owner --block-time 2s --tempo 30 \
    --fund validator-1=20000 --fund validator-2=10000 --fund miner-1=100 --fund miner-2=100 --fund miner-3=100 > /dev/null
mv genesis.new genesis.toml
