
/*
 * C2SP Wycheproof's vectors, from the directory that
 * ENVELOPE_VECTORS_WYCHEPROOF names; without it all is skipped.
 *
 * Nothing that is "invalid" may pass.  What is "valid" must, but for what this
 * module refuses on purpose: those are told apart by rule, each rule is
 * asserted (such a case must be refused) and counted, and nothing else is
 * left out.
 */


#include "keyutil.h"

#include "ngx_envelope_alg.h"
#include "ngx_envelope_cipher.h"
#include "ngx_envelope_rsa.h"

#include <yajl/yajl_tree.h>

#include <unistd.h>


typedef struct {
    unsigned     accepted;       /* valid, and the right answer */
    unsigned     refused;        /* invalid, and refused */
    unsigned     strict;         /* valid or acceptable, refused on purpose */
    unsigned     wrong;
    unsigned     not_ours;       /* of an algorithm that is not offered */
} counts_t;


/* one test of a group, with the group it is in */

typedef struct {
    yajl_val      group;
    yajl_val      test;
    int           id;
    const char   *result;
    int           valid;
    int           invalid;
} vector_t;


typedef void (*check_pt)(vector_t *v, counts_t *c);


static const char             *directory;
static ngx_pool_t             *pool;        /* of one vector */
static ngx_envelope_reason_t   reason;


static const char *
text_of(yajl_val v, const char *name)
{
    yajl_val     m;
    const char  *path[2] = { name, NULL };

    m = yajl_tree_get(v, path, yajl_t_string);

    return m ? YAJL_GET_STRING(m) : NULL;
}


static int
number_of(yajl_val v, const char *name)
{
    yajl_val     m;
    const char  *path[2] = { name, NULL };

    m = yajl_tree_get(v, path, yajl_t_number);

    return m ? (int) YAJL_GET_INTEGER(m) : -1;
}


static ngx_str_t
hex_of(yajl_val v, const char *name)
{
    const char  *s;

    s = text_of(v, name);

    return hex(pool, s ? s : "");
}


static int
same(ngx_str_t *a, ngx_str_t *b)
{
    return a->len == b->len && (a->len == 0
                                || memcmp(a->data, b->data, a->len) == 0);
}


static void
wrong(vector_t *v, counts_t *c, const char *what)
{
    c->wrong++;
    diag("  test %d (%s): %s", v->id, v->result, what);
}


/* opening: what must be, given what is asked for on purpose */

static void
judge(vector_t *v, counts_t *c, ngx_int_t rc, int right, int strict)
{
    if (v->invalid || strict) {

        if (rc != NGX_DECLINED) {
            wrong(v, c, "not refused");

        } else if (v->invalid) {
            c->refused++;

        } else {
            c->strict++;
        }

        return;
    }

    if (rc == NGX_OK && right) {
        c->accepted++;
        return;
    }

    wrong(v, c, rc == NGX_OK ? "another answer" : "refused");
}


static void
check_cbc(vector_t *v, counts_t *c)
{
    ngx_int_t              rc;
    ngx_str_t              key, iv, aad, msg, ct, out, sealed, name;
    ngx_envelope_cipher_t  cipher;

    key = hex_of(v->test, "key");
    iv = hex_of(v->test, "iv");
    msg = hex_of(v->test, "msg");
    ct = hex_of(v->test, "ct");
    aad = str("");
    name = str(key.len == 16 ? "aes-128-cbc"
                             : key.len == 24 ? "aes-192-cbc" : "aes-256-cbc");

    (void) ngx_envelope_cipher_init(&cipher, pool, &name, &reason);
    rc = ngx_envelope_cipher_open(&cipher, pool, &key, &iv, &aad, &ct, &out,
                                  &reason);
    judge(v, c, rc, rc == NGX_OK && same(&out, &msg), 0);

    if (v->valid
        && (ngx_envelope_cipher_seal(&cipher, pool, &key, &iv, &aad, &msg,
                                     &sealed, &reason) != NGX_OK
            || !same(&sealed, &ct)))
    {
        wrong(v, c, "sealed otherwise");
    }
}


/* strict: tags that are not of 16 bytes, IVs not of 1 to 128 bytes */

static void
check_gcm(vector_t *v, counts_t *c)
{
    int                    strict;
    ngx_int_t              rc;
    ngx_str_t              key, iv, aad, msg, ct, tag, in, out, sealed, name;
    ngx_envelope_cipher_t  cipher;

    key = hex_of(v->test, "key");
    iv = hex_of(v->test, "iv");
    aad = hex_of(v->test, "aad");
    msg = hex_of(v->test, "msg");
    ct = hex_of(v->test, "ct");
    tag = hex_of(v->test, "tag");
    name = str(key.len == 16 ? "aes-128-gcm"
                             : key.len == 24 ? "aes-192-gcm" : "aes-256-gcm");

    in = filled(pool, 0, ct.len + tag.len);
    memcpy(in.data, ct.data, ct.len);
    memcpy(in.data + ct.len, tag.data, tag.len);

    strict = tag.len != 16 || iv.len < 1 || iv.len > 128;

    (void) ngx_envelope_cipher_init(&cipher, pool, &name, &reason);
    rc = ngx_envelope_cipher_open(&cipher, pool, &key, &iv, &aad, &in, &out,
                                  &reason);
    judge(v, c, rc, rc == NGX_OK && same(&out, &msg), strict);

    if (v->valid && !strict
        && (ngx_envelope_cipher_seal(&cipher, pool, &key, &iv, &aad, &msg,
                                     &sealed, &reason) != NGX_OK
            || !same(&sealed, &in)))
    {
        wrong(v, c, "sealed otherwise");
    }
}


/* strict: tags that are cut short; they must be what ours begins with */

static void
check_hmac(vector_t *v, counts_t *c, const char *alg_name, size_t len)
{
    ngx_int_t           rc;
    ngx_str_t           key, msg, tag, full, name;
    ngx_envelope_alg_t  alg;

    key = hex_of(v->test, "key");
    msg = hex_of(v->test, "msg");
    tag = hex_of(v->test, "tag");
    name = str(alg_name);

    (void) ngx_envelope_alg_init(&alg, pool, &name, &reason);
    rc = ngx_envelope_alg_verify(&alg, NULL, &key, pool, &msg, 1, &tag,
                                 &reason);
    judge(v, c, rc, 1, tag.len != len);

    if (v->valid
        && (ngx_envelope_alg_sign(&alg, NULL, &key, pool, &msg, 1, &full,
                                  &reason) != NGX_OK
            || memcmp(full.data, tag.data, tag.len) != 0))
    {
        wrong(v, c, "another tag");
    }
}


static void
check_hmac_sha1(vector_t *v, counts_t *c)
{
    check_hmac(v, c, "hs1", 20);
}


static void
check_hmac_sha256(vector_t *v, counts_t *c)
{
    check_hmac(v, c, "hs256", 32);
}


/* strict: "acceptable" DigestInfo without NULL */

static void
check_signature(vector_t *v, counts_t *c, const char *alg_name)
{
    ngx_int_t            rc;
    ngx_str_t            der, msg, sig, name, none = ngx_null_string;
    ngx_envelope_key_t   key;
    ngx_envelope_alg_t   alg;

    der = hex_of(v->group, "publicKeyDer");
    msg = hex_of(v->test, "msg");
    sig = hex_of(v->test, "sig");
    name = str(alg_name);

    memset(&key, 0, sizeof(key));

    if (ngx_envelope_alg_init(&alg, pool, &name, &reason) != NGX_OK
        || ngx_envelope_key_parse(&key, pool, &der, &none, &reason) != NGX_OK
        || ngx_envelope_alg_check(&alg, &key, 0, &reason) != NGX_OK)
    {
        wrong(v, c, "the key is refused");
        return;
    }

    rc = ngx_envelope_alg_verify(&alg, &key, NULL, pool, &msg, 1, &sig,
                                 &reason);
    judge(v, c, rc, 1, !v->valid && !v->invalid);
}


static void
check_ed25519(vector_t *v, counts_t *c)
{
    check_signature(v, c, "eddsa");
}


static void
check_rs256(vector_t *v, counts_t *c)
{
    check_signature(v, c, "rs256");
}


static const char *
alg_of_sha(const char *sha)
{
    size_t                i;
    static const char    *names[][2] = {
        { "SHA-1", "rs1" }, { "SHA-256", "rs256" }, { "SHA-384", "rs384" },
        { "SHA-512", "rs512" }
    };

    for (i = 0; i < 4; i++) {
        if (strcmp(names[i][0], sha) == 0) {
            return names[i][1];
        }
    }

    return NULL;
}


/* PKCS#1 v1.5 signatures are the same whoever makes them */

static void
check_sig_gen(vector_t *v, counts_t *c)
{
    ngx_str_t            der, msg, sig, out, name, none = ngx_null_string;
    const char          *alg_name;
    ngx_envelope_key_t   key;
    ngx_envelope_alg_t   alg;

    alg_name = alg_of_sha(text_of(v->group, "sha"));

    if (alg_name == NULL) {
        c->not_ours++;
        return;
    }

    der = hex_of(v->group, "privateKeyPkcs8");
    msg = hex_of(v->test, "msg");
    sig = hex_of(v->test, "sig");
    name = str(alg_name);

    memset(&key, 0, sizeof(key));

    if (ngx_envelope_alg_init(&alg, pool, &name, &reason) != NGX_OK
        || ngx_envelope_key_parse(&key, pool, &der, &none, &reason) != NGX_OK
        || ngx_envelope_alg_check(&alg, &key, 1, &reason) != NGX_OK)
    {
        wrong(v, c, "the key is refused");
        return;
    }

    if (ngx_envelope_alg_sign(&alg, &key, NULL, pool, &msg, 1, &out, &reason)
            == NGX_OK
        && same(&out, &sig)
        && ngx_envelope_alg_verify(&alg, &key, NULL, pool, &msg, 1, &sig,
                                   &reason) == NGX_OK)
    {
        c->accepted++;

    } else {
        wrong(v, c, "another signature");
    }
}


/* strict: an empty message, which no block of ours is */

static void
check_oaep(vector_t *v, counts_t *c)
{
    ngx_int_t            rc;
    ngx_str_t            der, msg, ct, out, hash, mgf1, none = ngx_null_string;
    ngx_envelope_key_t   key;
    ngx_envelope_rsa_t   rsa;

    der = hex_of(v->group, "privateKeyPkcs8");
    msg = hex_of(v->test, "msg");
    ct = hex_of(v->test, "ct");
    hash = str("sha256");
    mgf1 = str(strcmp(text_of(v->group, "mgfSha"), "SHA-1") == 0 ? "sha1"
                                                                 : "sha256");
    memset(&key, 0, sizeof(key));
    memset(&rsa, 0, sizeof(rsa));
    rsa.padding = NGX_ENVELOPE_RSA_OAEP;
    rsa.label = hex_of(v->test, "label");

    if (ngx_envelope_key_parse(&key, pool, &der, &none, &reason) != NGX_OK
        || ngx_envelope_rsa_init(&rsa, pool, &hash, &mgf1, &reason) != NGX_OK)
    {
        wrong(v, c, "the key is refused");
        return;
    }

    rc = ngx_envelope_rsa_open(&rsa, &key, pool, NULL, &ct, &out, &reason);
    judge(v, c, rc, rc == NGX_OK && same(&out, &msg), msg.len == 0);
}


/*
 * A wrong length is refused.  Wrong padding opens to the byte 0xff, or with
 * OpenSSL's implicit rejection to bytes that nobody can foretell: what counts
 * is that it is not what was put in.  Strict: an empty message is like that.
 */

static void
check_pkcs1(vector_t *v, counts_t *c)
{
    int                  old;
    ngx_int_t            rc;
    ngx_str_t            der, msg, ct, out, none = ngx_null_string;
    ngx_envelope_key_t   key;
    ngx_envelope_rsa_t   rsa;

    old = OPENSSL_version_major() == 3 && OPENSSL_version_minor() < 2;

    der = hex_of(v->group, "privateKeyPkcs8");
    msg = hex_of(v->test, "msg");
    ct = hex_of(v->test, "ct");

    memset(&key, 0, sizeof(key));
    memset(&rsa, 0, sizeof(rsa));
    rsa.padding = NGX_ENVELOPE_RSA_PKCS1;

    if (ngx_envelope_key_parse(&key, pool, &der, &none, &reason) != NGX_OK) {
        wrong(v, c, "the key is refused");
        return;
    }

    rc = ngx_envelope_rsa_open(&rsa, &key, pool, NULL, &ct, &out, &reason);

    if (ct.len == 0 || ct.len % 256 != 0) {
        judge(v, c, rc, 0, 0);
        return;
    }

    if (rc != NGX_OK) {
        wrong(v, c, "refused, which tells of the padding");

    } else if (v->invalid || msg.len == 0) {

        if ((old || msg.len == 0) && (out.len != 1 || out.data[0] != 0xff)
            && !(v->invalid && !old))
        {
            wrong(v, c, "not the byte 0xff");

        } else if (v->invalid) {
            c->refused++;

        } else {
            c->strict++;
        }

    } else {
        judge(v, c, rc, same(&out, &msg), 0);
    }
}


static yajl_val
load(const char *name)
{
    char       path[1024], error[256], *text;
    long       len;
    FILE      *f;
    yajl_val   v;

    (void) snprintf(path, sizeof(path), "%s/%s", directory, name);

    f = fopen(path, "r");
    if (f == NULL) {
        return NULL;
    }

    fseek(f, 0, SEEK_END);
    len = ftell(f);
    rewind(f);

    text = calloc(1, len + 1);
    if (fread(text, 1, len, f) != (size_t) len) {
        len = 0;
    }
    fclose(f);

    v = yajl_tree_parse(text, error, sizeof(error));
    free(text);

    return v;
}


/*
 * In the edition of a file that has "total" tests exactly "strict" valid ones
 * are refused on purpose, and "not_ours" left out; other editions are checked
 * by the rules alone.
 */

static void
run(const char *name, check_pt check, int total, unsigned strict,
    unsigned not_ours)
{
    size_t         i, j;
    counts_t       c;
    unsigned       sum;
    vector_t       v;
    yajl_val       root, groups, tests;
    const char    *path_groups[] = { "testGroups", NULL };
    const char    *path_tests[] = { "tests", NULL };

    root = load(name);

    if (root == NULL) {
        diag("%s is not there", name);
        pass("%s not there, left out", name);
        return;
    }

    memset(&c, 0, sizeof(c));
    groups = yajl_tree_get(root, path_groups, yajl_t_array);

    for (i = 0; groups && i < YAJL_GET_ARRAY(groups)->len; i++) {
        v.group = YAJL_GET_ARRAY(groups)->values[i];
        tests = yajl_tree_get(v.group, path_tests, yajl_t_array);

        for (j = 0; tests && j < YAJL_GET_ARRAY(tests)->len; j++) {
            v.test = YAJL_GET_ARRAY(tests)->values[j];
            v.id = number_of(v.test, "tcId");
            v.result = text_of(v.test, "result");
            v.valid = strcmp(v.result, "valid") == 0;
            v.invalid = strcmp(v.result, "invalid") == 0;

            pool = ngx_create_pool(1024, &shim_log);
            check(&v, &c);
            ngx_destroy_pool(pool);

            if (!drained()) {
                wrong(&v, &c, "errors are left in OpenSSL's queue");
            }
        }
    }

    diag("%s: %u accepted, %u refused, %u refused on purpose, %u not offered, "
         "%u wrong", name, c.accepted, c.refused, c.strict, c.not_ours,
         c.wrong);

    sum = c.accepted + c.refused + c.strict + c.not_ours;

    is_int(c.wrong, 0, "%s: nothing wrong", name);
    is_int(sum, number_of(root, "numberOfTests"), "all tests were run");

    if (number_of(root, "numberOfTests") == total) {
        is_int(c.strict, strict, "refused on purpose");
        is_int(c.not_ours, not_ours, "not offered");

    } else {
        diag("%s: another edition", name);
    }

    yajl_tree_free(root);
}


int
main(void)
{
    directory = getenv("ENVELOPE_VECTORS_WYCHEPROOF");

    if (directory == NULL || directory[0] == '\0'
        || access(directory, R_OK) != 0)
    {
        skip_all("ENVELOPE_VECTORS_WYCHEPROOF names no directory");
    }

    run("aes_cbc_pkcs5_test.json", check_cbc, 216, 0, 0);

    /* IVs of 257 bytes */
    run("aes_gcm_test.json", check_gcm, 316, 3, 0);

    run("ed25519_test.json", check_ed25519, 151, 0, 0);

    /* tags that are cut to half */
    run("hmac_sha1_test.json", check_hmac_sha1, 170, 33, 0);
    run("hmac_sha256_test.json", check_hmac_sha256, 174, 33, 0);

    /* an empty message */
    run("rsa_oaep_2048_sha256_mgf1sha1_test.json", check_oaep, 31, 1, 0);
    run("rsa_oaep_2048_sha256_mgf1sha256_test.json", check_oaep, 37, 1, 0);
    run("rsa_pkcs1_2048_test.json", check_pkcs1, 67, 1, 0);

    /* SHA-224 and the like */
    run("rsa_pkcs1_2048_sig_gen_test.json", check_sig_gen, 43, 0, 8);

    /* a DigestInfo without its NULL */
    run("rsa_signature_2048_sha256_test.json", check_rs256, 259, 1, 0);

    is_int(shim_live, 0, "nothing left");

    return done_testing();
}
