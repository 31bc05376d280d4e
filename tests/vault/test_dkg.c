#include "cluster.h"
int main(void)
{
    return 0;
}
