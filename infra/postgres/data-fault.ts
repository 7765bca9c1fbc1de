import pg from 'pg';

/**
 * Whether Postgres refused the values themselves, so that trying again can only fail again: SQLSTATE classes 22 data
 * exception, 23 constraint violation, 54 program limit exceeded.
 */
export const isDataFault = (error: unknown): error is pg.DatabaseError =>
  error instanceof pg.DatabaseError && /^(22|23|54)/.test(error.code ?? '');
