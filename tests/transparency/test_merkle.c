/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include <dirent.h>
#include <sys/stat.h>

#include "transparency/merkle.h"
#include "vectors.h"

/*
 * Roots in the vectors may be short words; they are compared as bytes, so
 * padding with zeros keeps their meaning. An empty one cannot be said here.
 */
static bool read_hash(struct tlog_hash *out, const char *b64)
{
    size_t len = 0;
    memset(out, 0, sizeof(*out));
    assert_ok(enc_unb64(out->b, sizeof(out->b), &len, b64, strlen(b64)));
    return len > 0;
}

static bool read_path(struct tlog_path *out, const json_t *list)
{
    bool good = true;
    out->n = (unsigned)json_array_size(list);
    assert_true(out->n <= TLOG_PATH_MAX);
    for (unsigned i = 0; i < out->n; i++) {
        json_t *hash = json_array_get(list, i);
        good &= read_hash(&out->hash[i], json_string_value(hash));
    }
    return good;
}

static bool accepts_inclusion(const json_t *v)
{
    struct tlog_path path;
    struct tlog_hash leaf;
    struct tlog_hash root;
    if (!read_path(&path, json_object_get(v, "proof")) ||
        !read_hash(&leaf, vectors_text(v, "leafHash")) ||
        !read_hash(&root, vectors_text(v, "root")))
        return false;
    enum rc rc = tlog_inclusion_check(&path, vectors_num(v, "leafIdx"),
                                      vectors_num(v, "treeSize"), &leaf, &root);
    assert_true(rc == RC_OK || rc == RC_LOG);
    return rc == RC_OK;
}

static bool accepts_consistency(const json_t *v)
{
    struct tlog_path path;
    struct tlog_hash old_root;
    struct tlog_hash root;
    if (!read_path(&path, json_object_get(v, "proof")) ||
        !read_hash(&old_root, vectors_text(v, "root1")) ||
        !read_hash(&root, vectors_text(v, "root2")))
        return false;
    enum rc rc = tlog_consistency_check(&path, vectors_num(v, "size1"),
                                        &old_root, vectors_num(v, "size2"),
                                        &root);
    assert_true(rc == RC_OK || rc == RC_LOG);
    return rc == RC_OK;
}

static bool accepts_subtree_inclusion(const json_t *v)
{
    struct tlog_path path;
    struct tlog_hash leaf;
    struct tlog_hash root;
    if (!read_path(&path, json_object_get(v, "proof")) ||
        !read_hash(&leaf, vectors_text(v, "leafHash")) ||
        !read_hash(&root, vectors_text(v, "root")))
        return false;
    enum rc rc = tlog_subtree_inclusion_check(
            &path, vectors_num(v, "leafIdx"), vectors_num(v, "start"),
            vectors_num(v, "end"), &leaf, &root);
    assert_true(rc == RC_OK || rc == RC_LOG);
    return rc == RC_OK;
}

static bool accepts_subtree_consistency(const json_t *v)
{
    struct tlog_path path;
    struct tlog_hash sub;
    struct tlog_hash root;
    if (!read_path(&path, json_object_get(v, "proof")) ||
        !read_hash(&sub, vectors_text(v, "root1")) ||
        !read_hash(&root, vectors_text(v, "root2")))
        return false;
    enum rc rc = tlog_subtree_consistency_check(
            &path, vectors_num(v, "start"), vectors_num(v, "end"),
            vectors_num(v, "size"), &sub, &root);
    assert_true(rc == RC_OK || rc == RC_LOG);
    return rc == RC_OK;
}

/* The vectors call size1 = 0 an error, the witness protocol does not. */
static bool wanted(const json_t *v)
{
    json_t *size1 = json_object_get(v, "size1");
    if (size1 && json_integer_value(size1) == 0)
        return json_array_size(json_object_get(v, "proof")) == 0 &&
               json_integer_value(json_object_get(v, "size2")) > 0;
    return json_is_false(json_object_get(v, "wantErr"));
}

/* JSON integers here end at 63 bits. Some files go beyond: the same 64 bits,
 * written as a negative number of the same length. */
static json_t *load(const char *path)
{
    static const struct {
        const char *big;
        const char *same;
    } words[] = { { " 18446744073709551615", " -1                  " },
                  { " 9223372036854775810", "-9223372036854775806" } };
    size_t len;
    uint8_t *bytes = NULL;
    assert_ok(file_read(&bytes, &len, path, 1 << 16));
    char *text = (char *)bytes;
    for (size_t i = 0; i < 2; i++)
        for (char *at = text; (at = strstr(at, words[i].big));)
            memcpy(at, words[i].same, strlen(words[i].big));
    json_t *v = json_loads(text, 0, NULL);
    free(bytes);
    assert_non_null(v);
    return v;
}

static unsigned each_file(const char *dir, bool (*accepts)(const json_t *))
{
    unsigned n = 0;
    DIR *d = opendir(dir);
    assert_non_null(d);
    for (struct dirent *e; (e = readdir(d)) != NULL;) {
        char path[2048];
        struct stat st;
        snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
        if (e->d_name[0] == '.' || stat(path, &st) != 0)
            continue;
        if (S_ISDIR(st.st_mode)) {
            n += each_file(path, accepts);
            continue;
        }
        json_auto_t *v = load(path);
        if (accepts(v) != wanted(v))
            fail_msg("%s: %s, but want the opposite", path,
                     accepts(v) ? "accepted" : "refused");
        n++;
    }
    closedir(d);
    return n;
}

static void inclusion_vectors_agree(void **state)
{
    (void)state;
    char dir[1024];
    snprintf(dir, sizeof(dir), "%s/tlog/merkle/inclusion", testdata());
    assert_int_equal(each_file(dir, accepts_inclusion), 98);
}

static void consistency_vectors_agree(void **state)
{
    (void)state;
    char dir[1024];
    snprintf(dir, sizeof(dir), "%s/tlog/merkle/consistency", testdata());
    assert_int_equal(each_file(dir, accepts_consistency), 98);
}

static void subtree_vectors_agree(void **state)
{
    (void)state;
    char dir[1024];
    snprintf(dir, sizeof(dir), "%s/tlog/merkle/subtreeinclusion", testdata());
    assert_int_equal(each_file(dir, accepts_subtree_inclusion), 204);
    snprintf(dir, sizeof(dir), "%s/tlog/merkle/subtreeconsistency", testdata());
    assert_int_equal(each_file(dir, accepts_subtree_consistency), 118);
}

static void reference_tree_has_its_roots(void **state)
{
    (void)state;
    json_auto_t *v = vectors_load("rfc6962/reference-tree.json");
    json_t *inputs = json_object_get(v, "leaf_inputs_hex");
    json_t *roots = json_object_get(v, "root_hashes_hex_by_size");
    struct tlog_hash leaf[8];
    assert_int_equal(json_array_size(inputs), 8);
    for (size_t i = 0; i <= 8; i++) {
        struct tlog_hash root;
        struct tlog_hash want = vectors_hash(
                json_string_value(json_array_get(roots, i)));
        tlog_root(&root, leaf, i);
        assert_memory_equal(root.b, want.b, 32);
        if (i == 8)
            break;
        uint8_t entry[64];
        const char *hex = json_string_value(json_array_get(inputs, i));
        vectors_hex(entry, strlen(hex) / 2, hex);
        tlog_leaf_hash(&leaf[i], entry, strlen(hex) / 2);
    }
}

static void reference_nodes_hash_upwards(void **state)
{
    (void)state;
    json_auto_t *v = vectors_load("rfc6962/reference-tree.json");
    json_t *levels = json_object_get(v, "node_hashes_hex_by_level");
    for (size_t l = 1; l < json_array_size(levels); l++) {
        json_t *below = json_array_get(levels, l - 1);
        json_t *here = json_array_get(levels, l);
        for (size_t i = 0; i < json_array_size(here); i++) {
            struct tlog_hash h[3];
            for (size_t j = 0; j < 2; j++)
                h[j] = vectors_hash(
                        json_string_value(json_array_get(below, 2 * i + j)));
            tlog_node_hash(&h[2], &h[0], &h[1]);
            struct tlog_hash want = vectors_hash(
                    json_string_value(json_array_get(here, i)));
            assert_memory_equal(h[2].b, want.b, 32);
        }
    }
}

static void hasher_vectors_agree(void **state)
{
    (void)state;
    json_auto_t *v = vectors_load("rfc6962/reference-tree.json");
    json_t *row;
    size_t i;
    unsigned leaves = 0;
    json_array_foreach (json_object_get(v, "hasher"), i, row) {
        const char *desc = vectors_text(row, "desc");
        struct tlog_hash got;
        struct tlog_hash want = vectors_hash(vectors_text(row, "hex"));
        if (strcmp(desc, "leaf hash") != 0)
            continue;
        const char *in = vectors_text(row, "input_utf8");
        tlog_leaf_hash(&got, in, strlen(in));
        assert_memory_equal(got.b, want.b, 32);
        leaves++;
    }
    assert_int_equal(leaves, 2);
}

static void reference_proofs_hold(void **state)
{
    (void)state;
    json_auto_t *v = vectors_load("rfc6962/reference-tree.json");
    json_t *levels = json_object_get(v, "node_hashes_hex_by_level");
    json_t *roots = json_object_get(v, "root_hashes_hex_by_size");
    json_t *row;
    size_t i;
    json_array_foreach (json_object_get(v, "all_inclusion_proofs"), i, row) {
        struct tlog_path path;
        uint64_t size = vectors_num(row, "size");
        uint64_t index = vectors_num(row, "index");
        assert_true(read_path(&path, json_object_get(row, "proof")));
        struct tlog_hash leaf = vectors_hash(json_string_value(
                json_array_get(json_array_get(levels, 0), index)));
        struct tlog_hash root = vectors_hash(
                json_string_value(json_array_get(roots, size)));
        assert_ok(tlog_inclusion_check(&path, index, size, &leaf, &root));
        leaf.b[0] ^= 1;
        assert_rc(tlog_inclusion_check(&path, index, size, &leaf, &root),
                  RC_LOG);
    }
    assert_int_equal(i, 8 * 9 / 2);
}

static void paths_over_the_maximum_are_refused(void **state)
{
    (void)state;
    struct tlog_path path = { .n = TLOG_PATH_MAX + 1 };
    struct tlog_hash h = { { 0 } };
    assert_rc(tlog_inclusion_check(&path, 0, UINT64_MAX, &h, &h), RC_LOG);
    assert_rc(tlog_consistency_check(&path, 1, &h, UINT64_MAX, &h), RC_LOG);
}

static void empty_tree_has_one_root_and_one_successor_rule(void **state)
{
    (void)state;
    struct tlog_path none = { .n = 0 };
    struct tlog_path one = { .n = 1 };
    struct tlog_hash empty;
    struct tlog_hash any = { { 7 } };
    tlog_root(&empty, NULL, 0);
    assert_ok(tlog_consistency_check(&none, 0, &empty, 0, &empty));
    assert_ok(tlog_consistency_check(&none, 0, &empty, 5, &any));
    assert_rc(tlog_consistency_check(&none, 0, &empty, 0, &any), RC_LOG);
    assert_rc(tlog_consistency_check(&one, 0, &empty, 5, &any), RC_LOG);
    assert_rc(tlog_inclusion_check(&none, 0, 0, &empty, &empty), RC_LOG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(inclusion_vectors_agree),
        cmocka_unit_test(consistency_vectors_agree),
        cmocka_unit_test(subtree_vectors_agree),
        cmocka_unit_test(reference_tree_has_its_roots),
        cmocka_unit_test(reference_nodes_hash_upwards),
        cmocka_unit_test(hasher_vectors_agree),
        cmocka_unit_test(reference_proofs_hold),
        cmocka_unit_test(paths_over_the_maximum_are_refused),
        cmocka_unit_test(empty_tree_has_one_root_and_one_successor_rule),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
