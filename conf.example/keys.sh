#!/bin/sh
# Makes a set of keys for trying the example profiles out, both sides of it:
# what a merchant has, and what the providers keep to themselves in real life
# (the mock provider of the demo is the other end).
#
#     conf.example/keys.sh DIRECTORY
#
# Files that exist are left alone. For production, make only your own keys,
# give the provider the public half, and put the provider's public key in place
# of the X-platform one here. A private key never leaves the machine.

set -eu

[ $# -eq 1 ] || { echo "usage: $0 DIRECTORY" >&2; exit 2; }

umask 077
mkdir -p "$1"
cd "$1"

# pair NAME BITS: NAME.pem (private, PKCS#8) and NAME.pub.pem
pair() {
    [ -e "$1.pub.pem" ] && return
    openssl genpkey -algorithm RSA -pkeyopt "rsa_keygen_bits:$2" \
        -out "$1.pem" 2>/dev/null ||
        { echo "$0: openssl could not make $1.pem" >&2; exit 1; }
    openssl pkey -in "$1.pem" -pubout -out "$1.pub.pem"
}

# certificate NAME: NAME.cer, self-signed, DER, over NAME.pem
certificate() {
    [ -e "$1.cer" ] && return
    openssl req -x509 -new -key "$1.pem" -sha256 -days 3650 \
        -subj "/CN=$1" -outform DER -out "$1.cer"
}

# bare NAME: NAME.key and NAME.pub, the base64 of DER on one line, no PEM lines
bare() {
    [ -e "$1.pub" ] && return
    pair "$1" 2048
    openssl pkcs8 -topk8 -nocrypt -in "$1.pem" -outform DER |
        openssl base64 -A > "$1.key"
    openssl pkey -in "$1.pem" -pubout -outform DER |
        openssl base64 -A > "$1.pub"
    rm "$1.pem" "$1.pub.pem"
}

# A and B: RSA 4096, PEM
for name in a-platform a-merchant b-platform b-merchant; do
    pair "$name" 4096
done

# A and D: what the access token is asked for with, a text
for name in a-app d-app; do
    [ -e "$name.secret" ] || openssl rand -hex 24 | tr -d '\n' > "$name.secret"
done

# C: RSA 1024; the merchant's private key is a PKCS#12 file with a password (the
# .pem beside it is the same key), public keys are certificates
for name in c-platform c-merchant; do
    pair "$name" 1024
    certificate "$name"
done
if [ ! -e c-merchant.pfx ]; then
    openssl rand -hex 16 | tr -d '\n' > c-merchant.pass
    openssl x509 -inform DER -in c-merchant.cer |
        openssl pkcs12 -export -inkey c-merchant.pem -name merchant \
            -passout file:c-merchant.pass -out c-merchant.pfx
fi

# D: RSA 2048, PEM, and a shared AES-128 key in base64
pair d-platform 2048
pair d-merchant 2048
[ -e d-aes.b64 ] || openssl rand -base64 16 | tr -d '\n' > d-aes.b64

# E: RSA 2048, bare base64
bare e-platform
bare e-merchant

# F: the application's secret, a text
[ -e f-app.secret ] || openssl rand -hex 24 | tr -d '\n' > f-app.secret

# The webhook server's own TLS certificate (yours comes from a real authority)
if [ ! -e webhook-tls.crt ]; then
    openssl req -x509 -newkey rsa:2048 -nodes -sha256 -days 365 \
        -subj "/CN=webhooks.example" -keyout webhook-tls.key \
        -out webhook-tls.crt 2>/dev/null
fi

# umask 077 has made everything 0600; what is public may be read
chmod 644 -- *.pub.pem *.pub *.cer *.crt
