# Draws how cost grows: gnuplot -e "data='FILE'; picture='FILE'" growth.gp
set terminal svg size 1000,640 font 'sans-serif,12' background 'white' dynamic
set output picture
set datafile missing '?'
set logscale xy
set ytics ('100 ns' 1e2, '300 ns' 3e2, '1 us' 1e3, '3 us' 3e3, '10 us' 1e4, '30 us' 3e4, '100 us' 1e5, '300 us' 3e5, '1 ms' 1e6)
set grid xtics ytics lc rgb '#dddddd'
set linetype 1 lw 3 pt 7 ps 0.6 lc rgb '#d62728'
set linetype 2 lw 1.5 pt 11 ps 0.6 lc rgb '#9467bd'
set linetype 3 lw 1.5 pt 6 ps 0.6 lc rgb '#ff9896'
set linetype 4 lw 1 pt 10 ps 0.6 lc rgb '#c5b0d5'
array titles[6] = ['get, by entries', 'get, by processes at once', 'get, by budget', \
                   'put, by entries', 'put, full, by processes at once', 'put, full, by budget']
set multiplot layout 2,3 margins 0.07,0.985,0.07,0.94 spacing 0.065,0.12
do for [curve = 0:5] {
    set title titles[curve + 1]
    set key off
    if (curve == 0 || curve == 3) { set key top left samplen 2 }
    if (curve % 3 == 0) { set xtics ('10^3' 1e3, '10^4' 1e4, '10^5' 1e5, '10^6' 1e6, '10^7' 1e7); set xrange [700:1.4e7] }
    if (curve % 3 == 1) { set xtics (1, 2, 4, 8, 16, 32, 64); set xrange [0.8:80] }
    if (curve % 3 == 2) { set xtics ('64 MiB' 64, '256' 256, '1 GiB' 1024, '4' 4096, '12 GiB' 12288); set xrange [50:16000] }
    if (curve == 3) {
        plot data index 3 using 1:2 with linespoints lt 1 title 'onecopy, full', \
             data index 3 using 1:3 with linespoints lt 2 title 'LMDB, replacing', \
             data index 6 using 1:2 with linespoints lt 3 title 'onecopy', \
             data index 6 using 1:3 with linespoints lt 4 title 'LMDB'
    } else {
        plot data index curve using 1:2 with linespoints lt 1 title 'onecopy', \
             data index curve using 1:3 with linespoints lt 2 title 'LMDB'
    }
}
unset multiplot
