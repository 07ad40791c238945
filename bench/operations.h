/*
 * The OpenSSL operations that a message cannot do without, prepared as well
 * as can be: keys are read, algorithms fetched, contexts and buffers made
 * beforehand.
 *
 * An operation is NAME:LENGTH or NAME:LENGTH:KEYFILE (the names are in a table
 * in operations.c), LENGTH the bytes that go in when sealing and come out when
 * opening.
 */

#ifndef OPERATIONS_H
#define OPERATIONS_H


typedef struct operation_s  operation_t;


/* Both say what is wrong on stderr, and exit. */

operation_t *operation_make(const char *text);
void operation_run(operation_t *op);


#endif /* OPERATIONS_H */
