
/* Keys in all the forms in which they are sent around. */


#include "keyutil.h"

#include "ngx_envelope_rsa.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/param_build.h>
#include <openssl/pkcs12.h>
#include <openssl/provider.h>
#include <openssl/rand.h>

#include <unistd.h>


#define EXPIRY  1893456000  /* 2030-01-01 */


static ngx_pool_t             *pool;
static ngx_envelope_reason_t   reason;
static ngx_str_t               none = ngx_null_string;
static ngx_str_t               password = ngx_string("pa ss");
static ngx_str_t               wrong = ngx_string("password");
static EVP_PKEY               *rsa, *ec, *ed;
static X509                   *certs[3];


/* writers: each gives the content of a key file */

static ngx_str_t
pkcs8_der(EVP_PKEY *pkey)
{
    int                   len;
    u_char               *der = NULL;
    PKCS8_PRIV_KEY_INFO  *info;

    info = EVP_PKEY2PKCS8(pkey);
    len = i2d_PKCS8_PRIV_KEY_INFO(info, &der);
    PKCS8_PRIV_KEY_INFO_free(info);

    return der_str(pool, len, der);
}


static ngx_str_t
traditional_der(EVP_PKEY *pkey)
{
    u_char  *der = NULL;
    int      len = i2d_PrivateKey(pkey, &der);

    return der_str(pool, len, der);
}


static ngx_str_t
rsa_public_der(EVP_PKEY *pkey)
{
    u_char  *der = NULL;
    int      len = i2d_PublicKey(pkey, &der);

    return der_str(pool, len, der);
}


static ngx_str_t
cert_der(X509 *cert)
{
    u_char  *der = NULL;
    int      len = i2d_X509(cert, &der);

    return der_str(pool, len, der);
}


/* as one line or in lines of 64 characters, ended as said */

static ngx_str_t
pem(const char *label, ngx_str_t der, const char *eol, size_t width)
{
    BIO        *bio;
    size_t      i, n;
    ngx_str_t   b64;

    b64 = base64(pool, &der);
    bio = BIO_new(BIO_s_mem());

    if (label) {
        BIO_printf(bio, "-----BEGIN %s-----%s", label, eol);
    }

    for (i = 0; i < b64.len; i += n) {
        n = ngx_min(width, b64.len - i);
        BIO_write(bio, b64.data + i, (int) n);
        BIO_puts(bio, eol);
    }

    if (label) {
        BIO_printf(bio, "-----END %s-----%s", label, eol);
    }

    return bio_str(pool, bio);
}


static ngx_str_t
join(ngx_str_t a, ngx_str_t b)
{
    ngx_str_t  v;

    v.len = a.len + b.len;
    v.data = ngx_pnalloc(pool, v.len);
    memcpy(v.data, a.data, a.len);
    memcpy(v.data + a.len, b.data, b.len);

    return v;
}


static ngx_str_t
old_pem(EVP_PKEY *pkey, const EVP_CIPHER *cipher)
{
    BIO  *bio;

    bio = BIO_new(BIO_s_mem());
    ok(PEM_write_bio_PrivateKey_traditional(bio, pkey, cipher, password.data,
                                            (int) password.len, NULL, NULL)
       == 1, "written the old way");

    return bio_str(pool, bio);
}


static ngx_str_t
encrypted_der(EVP_PKEY *pkey, const EVP_CIPHER *cipher)
{
    BIO  *bio;

    bio = BIO_new(BIO_s_mem());
    ok(i2d_PKCS8PrivateKey_bio(bio, pkey, cipher, (char *) password.data,
                               (int) password.len, NULL, NULL) == 1,
       "written encrypted");

    return bio_str(pool, bio);
}


static ngx_str_t
pkcs12(OSSL_LIB_CTX *ctx, const char *pass, EVP_PKEY *pkey, X509 *cert,
    X509 *ca, int key_nid, int cert_nid, int mac)
{
    int              len;
    u_char          *der = NULL;
    PKCS12          *p12;
    STACK_OF(X509)  *chain = NULL;

    if (ca) {
        chain = sk_X509_new_null();
        sk_X509_push(chain, ca);
    }

    p12 = PKCS12_create_ex(pass, "name", pkey, cert, chain, key_nid, cert_nid,
                           2048, mac, 0, ctx, NULL);
    ok(p12 != NULL, "PKCS#12 written");
    len = i2d_PKCS12(p12, &der);
    PKCS12_free(p12);
    sk_X509_free(chain);

    return der_str(pool, len, der);
}


static X509 *
certificate(EVP_PKEY *pkey, time_t expiry)
{
    X509       *cert;
    X509_NAME  *name;

    cert = X509_new();
    X509_set_version(cert, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(cert), 7);
    ASN1_TIME_set(X509_getm_notBefore(cert), 0);
    ASN1_TIME_set(X509_getm_notAfter(cert), expiry);
    name = X509_get_subject_name(cert);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (u_char *) "test", -1,
                               -1, 0);
    X509_set_issuer_name(cert, name);
    X509_set_pubkey(cert, pkey);
    X509_sign(cert, pkey, EVP_PKEY_is_a(pkey, "ED25519") ? NULL
                                                         : EVP_sha256());

    return cert;
}


/* readers */

static ngx_int_t
parse(ngx_envelope_key_t *key, ngx_pool_t *p, ngx_str_t content,
    ngx_str_t *pass)
{
    u_char     *exact;
    ngx_int_t   rc;
    ngx_str_t   copy;

    /* no byte behind the content is readable to a sanitizer */

    exact = malloc(content.len ? content.len : 1);
    memcpy(exact, content.data, content.len);
    copy.data = exact;
    copy.len = content.len;

    memset(key, 0, sizeof(*key));
    reason.len = 0;

    rc = ngx_envelope_key_parse(key, p, &copy, pass, &reason);
    free(exact);

    return rc;
}


static void
reads(ngx_str_t content, EVP_PKEY *expected, int private, time_t expiry,
    ngx_str_t *pass, const char *name)
{
    ngx_pool_t          *p;
    ngx_envelope_key_t   key;

    p = ngx_create_pool(1024, &shim_log);

    if (is_int(parse(&key, p, content, pass), NGX_OK, "%s", name)) {
        ok(EVP_PKEY_eq(key.pkey, expected) == 1, "the same key");
        ok(EVP_PKEY_get0_provider(key.pkey) != NULL, "of a provider");
        is_int(key.has_private, private, "private or not");
        is_int(key.not_after, expiry, "expiry");

    } else {
        diag("  %.*s", (int) reason.len, (char *) reason.data);
    }

    ok(drained(), "no errors queued");
    ngx_destroy_pool(p);
}


static void
refuses(ngx_str_t content, ngx_str_t *pass, const char *part, const char *name)
{
    ngx_pool_t          *p;
    ngx_envelope_key_t   key;

    p = ngx_create_pool(1024, &shim_log);

    is_int(parse(&key, p, content, pass), NGX_DECLINED, "%s", name);
    is_reason(reason, part);
    ok(key.pkey == NULL, "no key");
    ok(drained(), "no errors queued");

    ngx_destroy_pool(p);
}


static void
all_forms(const char *label, ngx_str_t der, EVP_PKEY *expected, int private,
    time_t expiry, ngx_str_t *pass)
{
    ngx_str_t  text;

    diag("%s", label);

    reads(der, expected, private, expiry, pass, "DER");
    reads(join(der, str("\n")), expected, private, expiry, pass,
          "DER and a line feed");
    reads(pem(label, der, "\n", 64), expected, private, expiry, pass, "PEM");
    reads(pem(label, der, "\r\n", 76), expected, private, expiry, pass,
          "PEM with CR LF");
    reads(pem(label, der, "\n", 100000), expected, private, expiry, pass,
          "PEM with one long line");
    reads(pem(label, der, "", 100000), expected, private, expiry, pass,
          "PEM in one line");
    reads(pem(label, der, " ", 64), expected, private, expiry, pass,
          "PEM with spaces for line feeds");
    reads(pem(NULL, der, "", 100000), expected, private, expiry, pass,
          "base64");
    reads(pem(NULL, der, "\r\n", 76), expected, private, expiry, pass,
          "base64 in lines");
    reads(join(str(" \t\n"), pem(NULL, der, "\n ", 60)), expected, private,
          expiry, pass, "base64, indented");

    text = join(str("\xef\xbb\xbf"), pem(label, der, "\n", 64));
    reads(text, expected, private, expiry, pass, "PEM with a BOM");
    text = join(str("\xef\xbb\xbf"), pem(NULL, der, "\n", 64));
    reads(text, expected, private, expiry, pass, "base64 with a BOM");
    text = join(str("Bag Attributes\n  key: 00 -- 0-----\nKey:\n"),
                pem(label, der, "\n", 64));
    reads(join(text, str("\nand more")), expected, private, expiry, pass,
          "PEM with text around it");
}


static void
test_forms(void)
{
    all_forms("PRIVATE KEY", pkcs8_der(rsa), rsa, 1, 0, &none);
    all_forms("PRIVATE KEY", pkcs8_der(ec), ec, 1, 0, &none);
    all_forms("PRIVATE KEY", pkcs8_der(ed), ed, 1, 0, &none);
    all_forms("PUBLIC KEY", spki(pool, rsa), rsa, 0, 0, &none);
    all_forms("PUBLIC KEY", spki(pool, ec), ec, 0, 0, &none);
    all_forms("PUBLIC KEY", spki(pool, ed), ed, 0, 0, &none);
    all_forms("RSA PRIVATE KEY", traditional_der(rsa), rsa, 1, 0, &none);
    all_forms("EC PRIVATE KEY", traditional_der(ec), ec, 1, 0, &none);
    all_forms("RSA PUBLIC KEY", rsa_public_der(rsa), rsa, 0, 0, &none);
    all_forms("CERTIFICATE", cert_der(certs[0]), rsa, 0, EXPIRY, &none);
    all_forms("CERTIFICATE", cert_der(certs[1]), ec, 0, 86400, &none);
    all_forms("CERTIFICATE", cert_der(certs[2]), ed, 0, EXPIRY, &none);
    all_forms("ENCRYPTED PRIVATE KEY",
              encrypted_der(rsa, EVP_aes_256_cbc()), rsa, 1, 0, &password);

    /* labels that promise something else */

    reads(pem("RSA PRIVATE KEY", pkcs8_der(rsa), "\n", 64), rsa, 1, 0, &none,
          "PKCS#8 under RSA PRIVATE KEY");
    reads(pem("PRIVATE KEY", traditional_der(rsa), "\n", 64), rsa, 1, 0, &none,
          "PKCS#1 under PRIVATE KEY");
    reads(pem("RSA PUBLIC KEY", spki(pool, rsa), "\n", 64), rsa, 0, 0, &none,
          "SubjectPublicKeyInfo under RSA PUBLIC KEY");
    reads(pem("PUBLIC KEY", cert_der(certs[0]), "\n", 64), rsa, 0, EXPIRY,
          &none, "a certificate under PUBLIC KEY");
}


static void
test_bundles(void)
{
    EVP_PKEY   *other;
    X509       *ca;
    ngx_str_t   key, cert, chain;

    other = EVP_EC_gen("P-256");
    ca = certificate(other, EXPIRY + 1);

    key = pem("PRIVATE KEY", pkcs8_der(rsa), "\n", 64);
    cert = pem("CERTIFICATE", cert_der(certs[0]), "\n", 64);
    chain = pem("CERTIFICATE", cert_der(ca), "\n", 64);

    reads(join(key, cert), rsa, 1, EXPIRY, &none, "key, certificate");
    reads(join(cert, key), rsa, 1, EXPIRY, &none, "certificate, key");
    reads(join(join(chain, cert), key), rsa, 1, EXPIRY, &none,
          "CA, certificate, key");
    reads(join(key, chain), rsa, 1, 0, &none, "key, another certificate");
    reads(join(cert, chain), rsa, 0, EXPIRY, &none, "a chain");
    reads(join(key, key), rsa, 1, 0, &none, "the same key twice");
    reads(join(pem("PUBLIC KEY", spki(pool, rsa), "\n", 64), key), rsa, 1, 0,
          &none, "both halves");
    reads(join(pem("EC PARAMETERS", str("\x06\x01\x01"), "\n", 64),
               pem("EC PRIVATE KEY", traditional_der(ec), "\n", 64)), ec, 1, 0,
          &none, "parameters first");
    refuses(join(key, pem("PRIVATE KEY", pkcs8_der(other), "\n", 64)), &none,
            "two different private keys", "two keys");
    refuses(pem("EC PARAMETERS", str("\x06\x01\x01"), "\n", 64), &none,
            "there is no key", "parameters alone");

    X509_free(ca);
    EVP_PKEY_free(other);
}


static void
test_encrypted(void)
{
    ngx_str_t  der, text, nul = ngx_string("a\0b");

    der = encrypted_der(ec, EVP_aes_128_cbc());
    reads(der, ec, 1, 0, &password, "PKCS#8");
    refuses(der, &none, "give password=", "no password");
    refuses(der, &wrong, "password is wrong", "another password");
    refuses(der, &nul, "zero byte", "a password with a zero byte");

    text = old_pem(rsa, EVP_aes_128_cbc());
    reads(text, rsa, 1, 0, &password, "old PEM, AES");
    refuses(text, &none, "RSA PRIVATE KEY is encrypted, give password=",
            "no password");
    refuses(text, &wrong, "password is wrong", "another password");
    reads(old_pem(ec, EVP_des_ede3_cbc()), ec, 1, 0, &password,
          "old PEM, 3DES");
    reads(pem("PRIVATE KEY", pkcs8_der(ed), "\n", 64), ed, 1, 0, &password,
          "a password that is not needed");

    text = str("-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n"
               "DEK-Info: ROT13,00\n\nAAAA\n-----END RSA PRIVATE KEY-----\n");
    refuses(text, &password, "headers that are not understood", "ROT13");
}


static void
test_pkcs12(void)
{
    ngx_str_t       der;
    const char     *pass = (char *) password.data;
    OSSL_LIB_CTX   *ctx;
    OSSL_PROVIDER  *base, *legacy;

    der = pkcs12(NULL, pass, rsa, certs[0], certs[1], 0, 0, 2048);
    reads(der, rsa, 1, EXPIRY, &password, "PKCS#12");
    reads(pem(NULL, der, "\n", 64), rsa, 1, EXPIRY, &password,
          "PKCS#12 in base64");
    refuses(der, &none, "PKCS#12 is encrypted, give password=", "no password");
    refuses(der, &wrong, "password is wrong", "another password");

    der = pkcs12(NULL, "", rsa, certs[0], NULL, 0, 0, 2048);
    reads(der, rsa, 1, EXPIRY, &none, "PKCS#12 with an empty password");

    der = pkcs12(NULL, pass, NULL, NULL, certs[1], 0, 0, 2048);
    reads(der, ec, 0, 86400, &password, "PKCS#12 of a certificate");

    der = pkcs12(NULL, pass, ec, certs[1], NULL,
                 NID_pbe_WithSHA1And3_Key_TripleDES_CBC,
                 NID_pbe_WithSHA1And3_Key_TripleDES_CBC, 1);
    reads(der, ec, 1, 86400, &password, "PKCS#12 with 3DES");

    der = pkcs12(NULL, pass, rsa, certs[0], NULL, 0, 0, -1);

    /* OpenSSL 3.0 does not read it, later ones do */

    if (OPENSSL_version_major() == 3 && OPENSSL_version_minor() == 0) {
        refuses(der, &password, "has no MAC", "PKCS#12 without a MAC");

    } else {
        reads(der, rsa, 1, EXPIRY, &password, "PKCS#12 without a MAC");
    }

    refuses(der, &wrong, "has no MAC", "and with another password");

    ctx = OSSL_LIB_CTX_new();
    base = OSSL_PROVIDER_load(ctx, "default");
    legacy = OSSL_PROVIDER_load(ctx, "legacy");

    if (legacy) {
        der = pkcs12(ctx, pass, rsa, certs[0], certs[1],
                     NID_pbe_WithSHA1And3_Key_TripleDES_CBC,
                     NID_pbe_WithSHA1And40BitRC2_CBC, 1);
        reads(der, rsa, 1, EXPIRY, &password, "PKCS#12 with RC2-40");
        ok(!OSSL_PROVIDER_available(NULL, "legacy"),
           "the legacy provider is not left behind");
        refuses(der, &wrong, "password is wrong", "another password");

        setenv("OPENSSL_MODULES", "/nonexistent", 1);
        refuses(der, &password, "\"legacy\" provider, which is not installed",
                "without the legacy provider");
        unsetenv("OPENSSL_MODULES");

        OSSL_PROVIDER_unload(legacy);

    } else {
        diag("no legacy provider: RC2-40 not tested");
    }

    OSSL_PROVIDER_unload(base);
    OSSL_LIB_CTX_free(ctx);
    ERR_clear_error();
}


/* an RSA key pair of numbers that are not all its own */

static EVP_PKEY *
rsa_of(EVP_PKEY *from, int e, int damage)
{
    size_t           i;
    BIGNUM          *n[8];
    EVP_PKEY        *pkey = NULL;
    OSSL_PARAM      *params;
    EVP_PKEY_CTX    *ctx;
    OSSL_PARAM_BLD  *bld;

    static const char  *names[] = {
        "n", "e", "d", "rsa-factor1", "rsa-factor2", "rsa-exponent1",
        "rsa-exponent2", "rsa-coefficient1"
    };

    bld = OSSL_PARAM_BLD_new();

    for (i = 0; i < 8; i++) {
        n[i] = NULL;
        EVP_PKEY_get_bn_param(from, names[i], &n[i]);

        if (i == 1 && e) {
            BN_set_word(n[i], e);
        }

        if (i == 2 && damage) {
            BN_add_word(n[i], 2);
        }

        if (i == 5 && damage) {
            BN_add_word(n[i], 2);
        }

        if (i < 2 || !e) {
            OSSL_PARAM_BLD_push_BN(bld, names[i], n[i]);
        }
    }

    params = OSSL_PARAM_BLD_to_param(bld);
    ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
    EVP_PKEY_fromdata_init(ctx);
    EVP_PKEY_fromdata(ctx, &pkey, e ? EVP_PKEY_PUBLIC_KEY : EVP_PKEY_KEYPAIR,
                      params);
    EVP_PKEY_CTX_free(ctx);
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(bld);

    for (i = 0; i < 8; i++) {
        BN_free(n[i]);
    }

    return pkey;
}


static void
test_refused(void)
{
    EVP_PKEY   *pkey;
    ngx_str_t   der, big;

    pkey = EVP_RSA_gen(512);
    refuses(pkcs8_der(pkey), &none, "an RSA key of 512 bits", "RSA 512");
    EVP_PKEY_free(pkey);

    pkey = EVP_RSA_gen(1024);
    reads(pkcs8_der(pkey), pkey, 1, 0, &none, "RSA 1024");
    EVP_PKEY_free(pkey);

    pkey = rsa_of(rsa, 1, 0);
    refuses(spki(pool, pkey), &none, "exponent is even or 1", "e = 1");
    EVP_PKEY_free(pkey);

    pkey = rsa_of(rsa, 3, 0);
    reads(spki(pool, pkey), pkey, 0, 0, &none, "e = 3");
    EVP_PKEY_free(pkey);

    pkey = rsa_of(rsa, 0, 1);
    refuses(pkcs8_der(pkey), &none, "damaged", "a wrong d");
    EVP_PKEY_free(pkey);

    /* the public half inside an EC private key is not its own */

    der = traditional_der(ec);
    der.data[20] ^= 1;
    refuses(der, &none, "damaged", "halves of different pairs");

    pkey = EVP_PKEY_Q_keygen(NULL, NULL, "X25519");
    refuses(pkcs8_der(pkey), &none, "X25519 is of no use", "X25519");
    refuses(spki(pool, pkey), &none, "X25519 is of no use", "X25519, public");
    EVP_PKEY_free(pkey);

    refuses(str(""), &none, "neither PEM nor DER", "nothing");
    refuses(str("\n\n"), &none, "neither PEM nor DER", "white space");
    refuses(str("0"), &none, "neither PEM nor DER", "a zero");
    refuses(str("{\"kty\":\"RSA\"}"), &none, "neither PEM nor DER", "JSON");
    refuses(str("AAAA"), &none, "it is base64, but not", "base64 of zeros");
    refuses(str("\x30\x82\x01\x00"), &none, "looks like DER", "a DER header");
    refuses(pem("OPENSSH PRIVATE KEY", str("xx"), "\n", 64), &none,
            "ssh-keygen", "OpenSSH");
    refuses(pem("PRIVATE KEY", str("xx"), "\n", 64), &none,
            "PEM \"PRIVATE KEY\" is damaged: there is no key", "junk in PEM");
    refuses(str("-----BEGIN PRIVATE KEY-----\nA?AA\n"
                "-----END PRIVATE KEY-----"), &none,
            "is damaged: it is not base64", "no base64 in PEM");
    refuses(str("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PUBLIC KEY-----"),
            &none, "not ended", "another end");
    refuses(str("-----BEGIN PRIVATE KEY-----\nAAAA\n"), &none, "not ended",
            "no end");
    refuses(str("-----BEGIN PRIVATE KEY"), &none, "header has no end",
            "half a header");

    der = pem(NULL, spki(pool, rsa), "", 100000);
    der.len--;
    refuses(der, &none, "", "one character of padding or text less");

    der = join(spki(pool, rsa), str("x"));
    refuses(der, &none, "looks like DER", "a byte behind DER");

    big = filled(pool, ' ', NGX_ENVELOPE_KEY_CONTENT_MAX + 1);
    refuses(big, &none, "too many", "more than a key");
}


/* no cut and no flipped bit does harm; a cut never leaves a key */

static void
test_damage(void)
{
    size_t               n, i;
    ngx_str_t            forms[7], bad;
    ngx_uint_t           taken;
    ngx_pool_t          *p;
    ngx_envelope_key_t   key;

    forms[0] = pkcs8_der(ec);
    forms[1] = spki(pool, rsa);
    forms[2] = cert_der(certs[2]);
    forms[3] = traditional_der(ec);
    forms[4] = rsa_public_der(rsa);
    forms[5] = pem("PRIVATE KEY", pkcs8_der(ed), "\n", 64);
    forms[5].len--;
    forms[6] = pkcs12(NULL, "", ec, certs[1], NULL, -1, -1, 1);

    for (n = 0, taken = 0; n < 7; n++) {
        for (i = 0; i < forms[n].len; i++) {
            bad = forms[n];
            bad.len = i;
            p = ngx_create_pool(1024, &shim_log);
            taken += (parse(&key, p, bad, &none) == NGX_OK);
            ngx_destroy_pool(p);
        }
    }

    is_int(taken, 0, "no cut one is taken");

    for (n = 0; n < 7; n++) {
        for (i = 0; i < forms[n].len; i++) {
            bad = bytes(pool, forms[n].data, forms[n].len);
            bad.data[i] ^= 1 << i % 8;
            p = ngx_create_pool(1024, &shim_log);
            (void) parse(&key, p, bad, &none);
            ngx_destroy_pool(p);
        }
    }

    pass("changed ones do no harm");
    ok(drained(), "no errors queued");
}


static ngx_str_t
file(const char *name)
{
    FILE       *f;
    char        path[256];
    ngx_str_t   v;

    v = filled(pool, 0, 4096);
    v.len = 0;
    snprintf(path, sizeof(path), "t/data/keys/%s", name);
    f = fopen(path, "r");

    if (ok(f != NULL, "%s", path)) {
        v.len = fread(v.data, 1, 4096, f);
        fclose(f);
    }

    return v;
}


/* the pair and the signature that a provider's manual prints */

static void
test_manual(void)
{
    ngx_str_t            info, text, sig, out, empty = ngx_null_string;
    ngx_envelope_rsa_t   type1;
    ngx_envelope_key_t   pub, priv;

    is_int(parse(&pub, pool, file("unified-public.b64"), &none), NGX_OK,
           "public");
    is_int(parse(&priv, pool, file("unified-private.b64"), &none), NGX_OK,
           "private");
    ok(EVP_PKEY_eq(pub.pkey, priv.pkey) == 1, "they are a pair");
    ok(priv.has_private && !pub.has_private, "one of them private");

    text = file("unified-signature.b64");
    sig = filled(pool, 0, 300);
    sig.len = EVP_DecodeBlock(sig.data, text.data, (int) text.len - 1) - 2;
    is_int(sig.len, 256, "a signature of 256 bytes");

    memset(&type1, 0, sizeof(type1));
    type1.padding = NGX_ENVELOPE_RSA_PRIVATE;
    (void) ngx_envelope_rsa_init(&type1, pool, &empty, &empty, &reason);

    info = hex(pool, "3031300d060960864801650304020105000420"
               "d3494c97b1fe103c8f99d202a8c419d766ec0373ad62f4068034743e4679"
               "e3a6");

    is_int(ngx_envelope_rsa_open(&type1, &pub, pool, NULL, &sig, &out, &reason),
           NGX_OK, "recovered");
    is_mem(out.data, out.len, info.data, info.len, "its DigestInfo");

    is_int(ngx_envelope_rsa_seal(&type1, &priv, pool, &env, &info, &out,
                                 &reason),
           NGX_OK, "made anew");
    is_mem(out.data, out.len, sig.data, sig.len, "is the very same");
}


static void
store(const char *uri, ngx_str_t *pass, ngx_int_t expected, EVP_PKEY *pkey,
    const char *part)
{
    ngx_pool_t          *p;
    ngx_envelope_key_t   key;

    p = ngx_create_pool(1024, &shim_log);
    memset(&key, 0, sizeof(key));
    reason.len = 0;

    is_int(ngx_envelope_key_store(&key, p, (u_char *) uri, pass, &reason),
           expected, "store: %s", part ? part : "ok");

    if (expected == NGX_OK && reason.len) {
        diag("  %.*s", (int) reason.len, (char *) reason.data);
    }

    if (part) {
        is_reason(reason, part);

    } else if (key.pkey) {
        ok(EVP_PKEY_eq(key.pkey, pkey) == 1 && key.has_private,
           "the private key");
        is_int(key.not_after, EXPIRY, "and its expiry");
    }

    ok(drained(), "no errors queued");
    ngx_destroy_pool(p);
}


static void
test_store(void)
{
    int         fd;
    char        path[] = "/tmp/envelope-key-XXXXXX";
    char        uri[64];
    ngx_str_t   text;

    text = join(pem("CERTIFICATE", cert_der(certs[0]), "\n", 64),
                pem("ENCRYPTED PRIVATE KEY",
                    encrypted_der(rsa, EVP_aes_128_cbc()), "\n", 64));

    fd = mkstemp(path);
    ok(write(fd, text.data, text.len) == (ssize_t) text.len, "a file");
    close(fd);
    snprintf(uri, sizeof(uri), "file:%s", path);

    store(uri, &password, NGX_OK, rsa, NULL);
    store(uri, &wrong, NGX_DECLINED, NULL, "password is wrong");
    store(uri, &none, NGX_DECLINED, NULL, "give password=");
    store("file:/nonexistent", &none, NGX_DECLINED, NULL, "cannot open");
    store("none:pin-value=1234", &none, NGX_DECLINED, NULL, "cannot open");

    unlink(path);
}


static void
test_describe(void)
{
    u_char              buf[NGX_ENVELOPE_KEY_NAME_LEN];
    ngx_envelope_key_t  key;

    key = wrap(rsa, 1);
    is_cstr(ngx_envelope_key_describe(&key, buf), "RSA of 2048 bits", "RSA");
    key = wrap(ec, 1);
    is_cstr(ngx_envelope_key_describe(&key, buf), "EC on P-256", "EC");
    key = wrap(ed, 1);
    is_cstr(ngx_envelope_key_describe(&key, buf), "ED25519", "Ed25519");
}


static void
test_memory(void)
{
    ngx_int_t            rc, i;
    ngx_str_t            content;
    ngx_uint_t           clean;
    ngx_pool_t          *p;
    ngx_envelope_key_t   key;

    content = pem("PRIVATE KEY", pkcs8_der(ec), "\n", 64);
    clean = 1;

    for (i = 0; i < 50; i++) {
        p = ngx_create_pool(1024, &shim_log);
        shim_fail_at = shim_allocs + i;
        rc = parse(&key, p, content, &none);
        shim_fail_at = -1;
        ngx_destroy_pool(p);

        if (rc == NGX_OK) {
            break;
        }

        clean &= (rc == NGX_ERROR && key.pkey == NULL);
    }

    ok(i > 0 && i < 50, "worked at last, with %d allocations", (int) i);
    ok(clean, "NGX_ERROR at each of them");
}


int
main(void)
{
    pool = ngx_create_pool(4096, &shim_log);
    rsa = EVP_RSA_gen(2048);
    ec = EVP_EC_gen("P-256");
    ed = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    certs[0] = certificate(rsa, EXPIRY);
    certs[1] = certificate(ec, 86400);
    certs[2] = certificate(ed, EXPIRY);
    ERR_clear_error();

    test_forms();
    test_bundles();
    test_encrypted();
    test_pkcs12();
    test_refused();
    test_damage();
    test_manual();
    test_store();
    test_describe();
    test_memory();

    EVP_PKEY_free(rsa);
    EVP_PKEY_free(ec);
    EVP_PKEY_free(ed);
    X509_free(certs[0]);
    X509_free(certs[1]);
    X509_free(certs[2]);
    ngx_destroy_pool(pool);
    is_int(shim_live, 0, "nothing left");

    return done_testing();
}
