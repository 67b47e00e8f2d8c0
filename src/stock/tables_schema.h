/* tables_schema: the DDL of the stock file. */
#ifndef TILLQ_STOCK_TABLES_SCHEMA_H
#define TILLQ_STOCK_TABLES_SCHEMA_H

extern const char stock_schema[];

#endif
