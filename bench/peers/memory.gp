# Draws the memory of all processes over the number of workers: gnuplot -e "data='FILE'; picture='FILE'" memory.gp
set terminal svg size 760,480 font 'sans-serif,12' background 'white' dynamic
set output picture
set xlabel 'workers, all of which hold one argument of 256 MiB'
set xtics (1, 2, 4, 8)
set format y '%.1f GiB'
set xrange [0.7:8.3]
set yrange [0:*]
set grid xtics ytics lc rgb '#dddddd'
set key top left samplen 2 invert
set linetype 1 lw 3 pt 7 ps 0.6 lc rgb '#d62728'
set linetype 2 lw 1.5 pt 5 ps 0.5 lc rgb '#1f77b4'
set linetype 3 lw 1.5 pt 9 ps 0.5 lc rgb '#2ca02c'
set linetype 4 lw 1.5 pt 11 ps 0.5 lc rgb '#9467bd'
set linetype 5 lw 1.5 pt 13 ps 0.5 lc rgb '#8c564b'
set linetype 6 lw 1.5 pt 4 ps 0.5 lc rgb '#ff7f0e'
set linetype 7 lw 1.5 pt 6 ps 0.5 lc rgb '#7f7f7f'
set linetype 8 lw 1.5 pt 8 ps 0.5 lc rgb '#17becf'
plot for [i = 7:0:-1] data index i using 1:($2 / 2**30) with linespoints lt (i + 1) title columnheader(1)
