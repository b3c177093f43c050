#!/usr/bin/env bash
# Installs what a node takes from the operating system: runc, the CNI plugins, nft and ip. Where they are, it does nothing.
set -euo pipefail
PATH+=:/usr/sbin:/sbin

missing=()
command -v runc >/dev/null || missing+=(runc)
[ -x /usr/lib/cni/ptp ] || [ -x /opt/cni/bin/ptp ] || missing+=(containernetworking-plugins)
command -v nft >/dev/null || missing+=(nftables)
command -v ip >/dev/null || missing+=(iproute2)
[ ${#missing[@]} -gt 0 ] || exit 0

if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
	echo "A node needs these packages (the names are Debian's): ${missing[*]}" >&2
	echo "Install them as root; on Debian: apt-get install --no-install-recommends ${missing[*]}" >&2
	exit 1
fi
echo "Installing ${missing[*]} with apt-get."
apt-get update -qq
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
