#!/bin/sh
# Registers a role's hotkey if it has no uid yet, stakes for validators, and runs the role.
#   join.sh miner NAME | join.sh validator NAME STAKE
set -eu
role=$1
name=$2
stake=${3:-}
export WEIGHHOUSE_WALLETS=/net/wallets WEIGHHOUSE_CHAIN=http://chain:9944
state=/var/lib/weighhouse/$name
mkdir -p "$state"
if [ ! -e "$state/registered" ]; then
    # Registrations are one per block: whoever comes second tries again.
    until weighhouse chain register --wallet "$name"; do sleep 3; done
    touch "$state/registered"
fi
# A step of its own: a hotkey that has its uid can't be registered again.
if [ -n "$stake" ] && [ ! -e "$state/staked" ]; then
    until weighhouse chain stake --wallet "$name" --amount "$stake"; do sleep 3; done
    touch "$state/staked"
fi
sed -e "s|@NAME@|$name|" -e "s|@ADDRESS@|$(hostname -i | cut -d' ' -f1)|" "/deploy/compose/$role.toml" > "$state/$role.toml"
exec weighhouse "$role" --config "$state/$role.toml"
