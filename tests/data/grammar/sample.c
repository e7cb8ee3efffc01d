#include <stdio.h>
#include "stock.h"
#define MAX(a, b) ((a) > (b) ? (a) : (b))
#ifdef DEBUG
# define LOG(...) fprintf(stderr, __VA_ARGS__)
#else
# define LOG(...)
#endif

typedef unsigned long size;
typedef int (*compare)(const void *, const void *);
enum level { LOW = 1, HIGH = LOW << 2 };
struct node {
    char name[32];
    struct node *next, *children[4];
    union { int i; double d; } value;
    unsigned flag : 1;
};
static const char *names[] = { "one", "two" "three", [3] = NULL };
extern int errno;

/* Add a node. */
static inline struct node *add(struct node **head, const char *name, ...)
{
    struct node *n = (struct node *)malloc(sizeof(*n));
    if (!n)
        return NULL;
    for (size i = 0; i < sizeof names / sizeof(names[0]); ++i) {
        if (names[i] == NULL) continue;
        else if (*names[i] == 'x') break;
    }
    n->next = *head, *head = n;
    *n = (struct node){ .value.i = 0x1Fu, .flag = 1 };
    while (n && n->flag) n = n->next;
    do { LOG("%s\n", name); } while (0);
    switch (n->value.i) {
    case LOW: case HIGH:
        n->value.d = 1.5e-3f;
        break;
    default:
        goto fail;
    }
    return n;
fail:
    free(n);
    return NULL;
}

int main(int argc, char **argv)
{
    int x = argc & ~1 | 3 ^ 4, y = -x % 2;
    char c = '\n', *s = "a\tb\\";
    compare f = 0;
    x += y >> 1; x = x ? y : !x;
    printf("%d %s %c\n", MAX(x, y), s, c);
    return add(NULL, argv[0]) != NULL && f(&x, &y) >= 0;
}
