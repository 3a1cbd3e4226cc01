#!/bin/sh
# The classic recipe, measured beside kpki: what the security scripts of Kafka guides do with openssl and keytool.
# usage: benches/recipe.sh [IDENTITIES [KPKI_IDENTITIES]]    needs openssl, keytool and a release build of kpki
set -eu
recipe_count=${1:-3}
kpki_count=${2:-100}
kpki=$(cd "$(dirname "$0")/.." && pwd)/target/release/kpki
[ -x "$kpki" ] || { echo "build it first: cargo build --release" >&2; exit 2; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
now() { date +%s%N; }

# A CA key in clear, then a key store, a request, a signature and two imports for each name.
pass=changeit
openssl req -new -x509 -newkey rsa:2048 -nodes -keyout ca-key -out ca-cert -days 365 -subj "/CN=Recipe CA" 2>/dev/null
begin=$(now)
i=0
while [ "$i" -lt "$recipe_count" ]; do
    i=$((i + 1))
    name=broker$i
    quiet="-noprompt -storepass $pass -storetype PKCS12"
    keytool -genkeypair -alias "$name" -keyalg EC -groupname secp256r1 -dname "CN=$name" -validity 365 \
        -keystore "$name.keystore" $quiet 2>/dev/null
    keytool -certreq -alias "$name" -file "$name.csr" -keystore "$name.keystore" $quiet 2>/dev/null
    openssl x509 -req -in "$name.csr" -CA ca-cert -CAkey ca-key -CAcreateserial -days 365 -out "$name.crt" 2>/dev/null
    keytool -importcert -alias caroot -file ca-cert -keystore "$name.keystore" $quiet 2>/dev/null
    keytool -importcert -alias "$name" -file "$name.crt" -keystore "$name.keystore" $quiet 2>/dev/null
    keytool -importcert -alias caroot -file ca-cert -keystore "$name.truststore" $quiet 2>/dev/null
done
recipe=$((($(now) - begin) / recipe_count))

# The same for kpki, from an empty directory: the CA and its key derivation included, everything synced to the disk.
{
    echo "brokers:"
    i=0
    while [ "$i" -lt "$kpki_count" ]; do
        i=$((i + 1))
        echo "  - {name: broker$i}"
    done
} >policy.yaml
begin=$(now)
KPKI_CA_PASSPHRASE="bench passphrase" "$kpki" --quiet --out out up policy.yaml
ours=$((($(now) - begin) / kpki_count))

awk -v r="$recipe" -v k="$ours" -v n="$kpki_count" -v m="$recipe_count" 'BEGIN {
    printf "recipe: %.1f ms per identity (%d identities)\n", r / 1e6, m
    printf "kpki:   %.2f ms per identity (%d identities, CA included)\n", k / 1e6, n
    printf "ratio:  %.0f\n", r / k
}'
